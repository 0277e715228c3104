import type { ControlPlane } from './control-plane.ts';

interface LoadedControlPlane {
  readonly control: ControlPlane;
  close(): Promise<void>;
}

export interface DeferredControlPlane extends LoadedControlPlane {
  /** Loads it if nobody has yet. */
  load(): Promise<void>;
}

/**
 * A control plane that is loaded when it is first needed. The client of Temporal takes a fifth of a second to load:
 * predictions need not wait for it when the process starts.
 */
export function deferControlPlane(load: () => Promise<LoadedControlPlane>): DeferredControlPlane {
  let loading: Promise<LoadedControlPlane> | null = null;
  const loaded = async (): Promise<ControlPlane> => (await (loading ??= load())).control;
  return {
    control: {
      startTraining: async (input) => (await loaded()).startTraining(input),
      trainingStatus: async (model) => (await loaded()).trainingStatus(model),
      startRollout: async (input) => (await loaded()).startRollout(input),
      rolloutCommand: async (model, command, input) => (await loaded()).rolloutCommand(model, command, input),
      approveRollout: async (model, input) => (await loaded()).approveRollout(model, input),
      triggerRollout: async (model, trigger) => (await loaded()).triggerRollout(model, trigger),
      rolloutStatus: async (model) => (await loaded()).rolloutStatus(model),
      startBackup: async (input) => (await loaded()).startBackup(input),
      startVerification: async (input) => (await loaded()).startVerification(input),
      verification: async (input) => (await loaded()).verification(input),
      startDrill: async (input) => (await loaded()).startDrill(input),
      check: async () => (await loaded()).check(),
    },
    load: async () => {
      await loaded();
    },
    close: async () => {
      await (await loading)?.close();
    },
  };
}
