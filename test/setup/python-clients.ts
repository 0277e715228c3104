/** The real Python clients of the compatibility protocols, installed once for every test run. */
import { pythonEnvironment, pythonMissing } from './python-environment.ts';

export { INSTALL_LIMIT_MS, runPython } from './python-environment.ts';

/** Each brings what it imports; `mlflow-skinny` leaves pandas out, which its client needs, and kserve brings it. */
const PACKAGES = ['tritonclient[http]==2.73.0', 'kserve==0.21.0', 'mlflow-skinny==3.17.2'];

/** Why the clients cannot be installed here, in one line; `null` when they can. */
export const pythonClientsMissing = (): Promise<string | null> => pythonMissing('the Python clients');

/** The interpreter that has the clients. @throws what pip says when it cannot install them */
export const pythonClients = (): Promise<string> => pythonEnvironment('python-clients', PACKAGES);
