/**
 * Tells that the process which started this one is gone. It may be so already: Node says `disconnect` once, and whoever
 * begins to listen after it, as a process does that was still loading its code, would never hear of it.
 */
export function onSupervisorGone(listener: () => void): void {
  // Undefined where nobody is connected from the start: a process that was started by hand.
  if ((process.connected as boolean | undefined) === false) process.nextTick(listener);
  else process.on('disconnect', listener);
}
