// The cards of the classes and their clips.

import { call } from './api.js';
import { clipSource } from './source.js';

const list = document.getElementById('classes');
const pictures = new Map(); // Of clips, by id.
const cards = new Map(); // Of classes, by id.

// Show the classes; `take(id, give)` and `remove(id)` are called when the user adds or removes something.
export function showClasses(classes, take, remove) {
  const known = new Set(classes.map((one) => one.id));
  for (const [id, card] of cards) {
    if (!known.has(id)) {
      card.remove();
      cards.delete(id);
    }
  }
  for (const one of classes) {
    if (!cards.has(one.id)) cards.set(one.id, makeCard(one, take, remove));
    fillCard(cards.get(one.id), one, remove);
  }
}

function makeCard(one, take, remove) {
  const card = document.getElementById('class-card').content.cloneNode(true).firstElementChild;
  card.querySelector('h3').textContent = one.name;
  const button = card.querySelector('[data-do=remove]');
  button.setAttribute('aria-label', `Remove class ${one.name}`);
  button.addEventListener('click', () => remove(one.id));
  clipSource(card.querySelector('.source'), one.name, true, (give) => take(one.id, give));
  list.append(card);
  return card;
}

function fillCard(card, one, remove) {
  const shown = card.querySelector('.clips');
  const ids = one.clips.map((clip) => clip.id);
  [...shown.children].filter((item) => !ids.includes(item.dataset.id)).forEach((item) => item.remove());
  const there = new Set([...shown.children].map((item) => item.dataset.id));
  one.clips.filter((clip) => !there.has(clip.id)).forEach((clip) => shown.append(makeClip(clip, remove)));
}

function makeClip(clip, remove) {
  const item = document.getElementById('clip-item').content.cloneNode(true).firstElementChild;
  item.dataset.id = clip.id;
  const name = item.querySelector('.clip-name');
  name.textContent = name.title = clip.name;
  const button = item.querySelector('button');
  button.setAttribute('aria-label', `Remove clip ${clip.name}`);
  button.addEventListener('click', () => remove(clip.id));
  showPicture(item.querySelector('img'), clip.id);
  return item;
}

async function showPicture(image, id) {
  try {
    if (!pictures.has(id)) pictures.set(id, (await call('GET', `picture/${id}`)).picture);
  } catch {
    return; // The clip has been removed in the meantime.
  }
  if (pictures.get(id)) {
    image.src = pictures.get(id);
    image.hidden = false;
  }
}
