// Where a reader's predictions are kept on a page without a kernel.

/**
 * The page may offer `globalThis.courseStorage` with getItem and setItem, as localStorage has them;
 * where a kernel runs there is none, and Python keeps what the model says.
 */
const storage = () => globalThis.courseStorage;

/** What was kept under this id: { said, answer }, or nothing. */
export function recall(id) {
  try {
    return JSON.parse(storage()?.getItem(`prediction ${id}`)) ?? {};
  } catch {
    return {}; // what another program wrote there
  }
}

/** Keep what is said; a storage that is full or forbidden keeps nothing, and the page goes on. */
export function keep(id, content) {
  try {
    storage()?.setItem(`prediction ${id}`, JSON.stringify(content));
  } catch {
    // nothing to tell: the choice holds as long as the page is open
  }
}
