export interface RegionOptions {
  readonly confirm?: string;
  readonly reason?: string;
  readonly wait?: boolean;
}
