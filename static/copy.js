// A "Copy" button on every snippet, where the browser lets a page write to the clipboard.
for (const snippet of navigator.clipboard ? document.querySelectorAll('.snippet') : []) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(snippet.querySelector('code')?.textContent ?? '');
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  });
  snippet.querySelector('figcaption')?.append(button);
}
