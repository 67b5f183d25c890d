import { useState } from 'preact/hooks';

/** A command to be run in a terminal, and a button that copies it. */
export function Command({ text, what }: { readonly text: string; readonly what: string }) {
  const [said, setSaid] = useState('');
  const copy = () => {
    // Browsers copy on HTTPS and on this machine only; elsewhere the text can be selected.
    const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard'));
    copied.then(
      () => setSaid('Copied'),
      () => setSaid('Select the text'),
    );
  };
  return (
    <span class="command">
      <code>{text}</code>
      <button type="button" onClick={copy}>
        Copy<span class="hidden"> the command that {what}</span>
      </button>
      <span class="note" role="status">
        {said}
      </span>
    </span>
  );
}
