import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { renderFinalScreen, shellQuote, type FinalScreen } from '../../../infra/platform/final-screen.ts';

const screen: FinalScreen = {
  addresses: {
    apiUrl: 'http://127.0.0.1:8080',
    temporalUiUrl: 'http://127.0.0.1:8233',
    temporalAddress: '127.0.0.1:7233',
  },
  home: '/home/some one/.sluice',
  homeGiven: true,
  firstKey: { key: 'sk_live_secret', file: '/home/some one/.sluice/first-key', isNew: false },
  served: {
    model: 'churn',
    version: 3,
    versions: 4,
    request: { entity_id: "O'Neill", features: { plan: 'a "b" $(c) `d`', tenure: 1, total: null } },
  },
  problem: null,
};

describe('the final screen', () => {
  it('shows a request that a shell passes on as it is', () => {
    const text = renderFinalScreen(screen);
    const curl = /^ {2}curl[\s\S]*?\}'$/m.exec(text)![0];
    const printed = execFileSync(
      'sh',
      ['-c', curl.replace('curl', `printf '%s\\n'`).replace(/\$\(cat [^)]*\)/, 'KEY')],
      {
        encoding: 'utf8',
      },
    );
    expect(JSON.parse(printed.trimEnd().split('\n').at(-1)!)).toEqual(screen.served!.request);
    expect(printed).toContain('http://127.0.0.1:8080/models/churn/predict');
  });

  it('shows the key once: when this start made it', () => {
    expect(renderFinalScreen(screen)).not.toContain('sk_live_secret');
    const first = renderFinalScreen({ ...screen, firstKey: { ...screen.firstKey!, isNew: true } });
    expect(first.split('sk_live_secret')).toHaveLength(2);
  });

  it('names the next version and the home for the next command', () => {
    expect(renderFinalScreen(screen)).toContain(
      "SLUICE_HOME='/home/some one/.sluice' npx sluice rollout start churn --version 5",
    );
    expect(renderFinalScreen({ ...screen, homeGiven: false })).toContain('  npx sluice train churn --seed 5');
  });

  it('says why nothing is served, and what to do', () => {
    const text = renderFinalScreen({ ...screen, served: null, problem: 'the disk is full' });
    expect(text).toContain('The example is not served: the disk is full');
    expect(text).toContain('npx sluice train path/to/model.yaml --rollout');
    expect(text).not.toContain('curl');
  });
});

describe('shellQuote', () => {
  it.each(['plain', "it's", 'two words', '$HOME', '"', '', 'a\nb', '\\'])('keeps %j one word', (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellQuote(text)}`], { encoding: 'utf8' })).toBe(text);
  });
});
