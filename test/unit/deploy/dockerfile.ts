/** As much of a Dockerfile's grammar as ours uses: continued lines, stages, flags, both forms of arguments. */
interface Instruction {
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const defaults = new Map<string, string>();
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const { name, flags, args } = parseInstruction(line);
    const stage = stages.at(-1);
    if (name === 'FROM') {
      const from = args[0]!.replaceAll(/\$\{(\w+)\}/g, (_, variable: string) => defaults.get(variable) ?? '');
      stages.push({ name: args[2] ?? String(stages.length), from, instructions: [] });
    } else if (stage === undefined) {
      const [variable, value] = args[0]!.split('=');
      defaults.set(variable!, value ?? '');
    } else {
      stage.instructions.push({ name, flags, args });
    }
  }
  return stages;
}

function parseInstruction(line: string): Instruction {
  const [, name = '', rest = ''] = /^\s*(\w+)\s+(.*)$/.exec(line) ?? [];
  const words = rest.trim().split(/\s+/);
  const flags: Record<string, string> = {};
  while (words[0]?.startsWith('--')) {
    const [key, value] = words.shift()!.slice(2).split('=');
    flags[key!] = value ?? '';
  }
  const plain = words.join(' ');
  const bracket = plain.indexOf('[');
  const isJson = bracket !== -1 && plain.endsWith(']') && /^(CMD )?$/.test(plain.slice(0, bracket));
  return { name: name.toUpperCase(), flags, args: isJson ? (JSON.parse(plain.slice(bracket)) as string[]) : words };
}
