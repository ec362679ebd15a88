// Where clips come from: chosen files, dropped files, the camera.

import { record } from './recorder.js';

// Fill an element with an input for clips; `take` gets a function that returns a list of { clip, name } and may throw.
export function clipSource(element, what, several, take) {
  element.append(document.getElementById('clip-source').content.cloneNode(true));
  const input = element.querySelector('input');
  const drop = element.querySelector('.drop');
  input.multiple = several;
  input.setAttribute('aria-label', several ? `Clips of ${what}` : what);
  if (!several) {
    element.querySelector('.drop strong').textContent = 'Choose a clip';
    element.querySelector('.drop em').textContent = 'or drop it here';
  }
  const takeFiles = (files) => {
    const clips = [...files].slice(0, several ? undefined : 1).map((clip) => ({ clip, name: clip.name }));
    if (clips.length) take(() => clips);
  };
  input.addEventListener('change', () => {
    const files = [...input.files];
    input.value = '';
    takeFiles(files);
  });
  drop.addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    takeFiles(event.dataTransfer.files);
  });
  const button = element.querySelector('[data-do=record]');
  button.setAttribute('aria-label', several ? `Record a clip of ${what}` : 'Record a clip to classify');
  button.addEventListener('click', () => take(async () => [await record()].filter(Boolean)));
}
