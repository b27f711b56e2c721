// @ts-check

/** @typedef {{label: string, run: () => void, after?: number}} Choice `after`: seconds until it can be chosen */

const shelf = () => /** @type {HTMLElement} */ (document.getElementById('toasts'));

/** @param {number} seconds */
const wait = (seconds) => (seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`);

/**
 * Shows a message until it is dismissed or its choice is taken. Screen readers hear it at once.
 *
 * @param {string} title @param {string} text @param {Choice} [choice]
 */
export function toast(title, text, choice) {
  const box = document.createElement('div');
  box.className = 'toast';
  box.setAttribute('role', 'alert');
  const heading = document.createElement('strong');
  heading.textContent = title;
  const body = document.createElement('p');
  body.textContent = text;
  const buttons = document.createElement('div');
  buttons.className = 'do';
  box.append(heading, body, buttons);
  if (choice) buttons.append(chooser(choice, () => box.remove()));
  buttons.append(button('Dismiss', () => box.remove()));
  shelf().append(box);
}

/** @param {string} label @param {() => void} run */
function button(label, run) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'quiet';
  element.textContent = label;
  element.addEventListener('click', run);
  return element;
}

/** @param {Choice} choice @param {() => void} close */
function chooser({ label, run, after = 0 }, close) {
  const element = button(label, () => {
    close();
    run();
  });
  element.className = 'quiet main';
  if (after <= 0) return element;
  const due = Date.now() + after * 1000;
  element.disabled = true;
  const tick = () => {
    const left = Math.ceil((due - Date.now()) / 1000);
    element.disabled = left > 0;
    element.textContent = left > 0 ? `${label} in ${wait(left)}` : label;
    if (left > 0 && element.isConnected) setTimeout(tick, 500);
  };
  queueMicrotask(tick); // it is in the page by then
  return element;
}
