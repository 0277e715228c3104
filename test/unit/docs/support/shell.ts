/** Splits a line of a POSIX shell into the words of its commands: quotes, pipes, `&&`, comments. No expansion. */
export function commandsOf(line: string): string[][] {
  const commands: string[][] = [[]];
  let word: string | null = null;
  let quote = '';
  for (const character of `${line} `) {
    if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= '';
    } else if (/[\s|&;]/.test(character)) {
      if (word !== null) commands.at(-1)?.push(word);
      word = null;
      if (character !== ' ' && commands.at(-1)?.length !== 0) commands.push([]);
    } else if (character === '#' && word === null) {
      break;
    } else {
      word = (word ?? '') + character;
    }
  }
  return commands.filter((words) => words.length > 0);
}

/** Arguments of `sluice`, whatever stands before it (`npx`, variables, `docker compose exec api`); `null`: another program. */
export function sluiceArguments(words: readonly string[]): string[] | null {
  const rest = words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word)));
  if (rest[0] === 'sluice') return rest.slice(1);
  if (rest[0] === 'npx' && rest[1] === 'sluice') return rest.slice(2);
  if (rest.slice(0, 3).join(' ') === 'docker compose exec' && rest[4] === 'sluice') return rest.slice(5);
  return null;
}
