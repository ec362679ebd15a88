// The page: shows the server's state, and sends what the user does.

import { call, send } from './api.js';
import { showClasses } from './classes.js';
import { showAnswer, showModel } from './results.js';
import { clipSource } from './source.js';

const find = (id) => document.getElementById(id);
const LABELS = { teach: 'Training', ask: 'Classifying' };
const POLL = 400; // Milliseconds.
let state = null;
let answerShown = 0;
let polling = false;
let jobShown = null; // The number of the last job whose end was shown.

function say(text) {
  find('message').hidden = !text;
  find('message').querySelector('p').textContent = text ?? '';
}

// Do something that may fail, then show the new state.
async function attempt(action) {
  say(null);
  try {
    await action();
  } catch (error) {
    say(error.message);
  }
  await refresh();
}

async function refresh() {
  try {
    state = await call('GET', 'state');
  } catch (error) {
    state = null;
    say(error.message);
    return;
  }
  showClasses(state.classes, takeClips, (id) => attempt(() => call('DELETE', `examples/${id}`)));
  showModel(find('model'), state.model);
  showSaved();
  showJob();
  if (state.answer !== answerShown) {
    answerShown = state.answer;
    showAnswer(find('answer'), await call('GET', 'answer'));
  }
}

function showSaved() {
  const options = state.saved.map((one) => new Option(one.title, one.id));
  const select = find('saved');
  const chosen = select.value;
  select.replaceChildren(...(options.length ? options : [new Option('None yet', '')]));
  if (state.saved.some((one) => one.id === chosen)) select.value = chosen;
  find('load').querySelector('button').disabled = !options.length;
  find('save').querySelector('button').disabled = !state.model;
}

function showProgress(label, done, total) {
  find('job').hidden = false;
  find('job').querySelector('label').textContent = label;
  const bar = find('job').querySelector('progress');
  bar.max = total;
  bar.value = done;
}

function showJob() {
  const job = state.job;
  const running = Boolean(job?.running);
  find('teach').disabled = running;
  find('job').querySelector('button').hidden = !running;
  if (!running) {
    find('job').hidden = true;
    if (jobShown !== null && job && job.number !== jobShown && job.error) say(job.error);
    jobShown = job?.number ?? 0;
    return;
  }
  jobShown ??= 0;
  const clip = Math.min(job.done + 1, job.total);
  showProgress(`${LABELS[job.kind]}: clip ${clip} of ${job.total}`, job.done, job.total);
  if (!polling) poll();
}

async function poll() {
  polling = true;
  while (state?.job?.running) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    await refresh();
  }
  polling = false;
}

function takeClips(id, give) {
  return attempt(async () => {
    const clips = await give();
    const problems = [];
    for (const [i, { clip, name }] of clips.entries()) {
      showProgress(`Adding clip ${i + 1} of ${clips.length}`, i, clips.length);
      try {
        await send(`clips/${id}`, clip, name, state.most_bytes);
      } catch (error) {
        problems.push(error.message);
      }
    }
    if (problems.length) throw new Error(problems.join(' '));
  });
}

function form(id, action) {
  find(id).addEventListener('submit', (event) => {
    event.preventDefault();
    attempt(action);
  });
}

form('new-class', async () => {
  await call('POST', 'classes', { name: find('class-name').value });
  find('class-name').value = '';
  find('class-name').focus();
});
form('save', async () => {
  const { folder } = await call('POST', 'save', { title: find('save-title').value });
  find('save-title').value = '';
  find('kept').textContent = `Saved in ${folder}`;
});
form('load', async () => {
  await call('POST', 'load', { id: find('saved').value });
  find('kept').textContent = '';
});
find('teach').addEventListener('click', () => attempt(() => {
  const modalities = [...document.querySelectorAll('[name=modality]:checked')].map((box) => box.value);
  return call('POST', 'teach', { modalities });
}));
find('job').querySelector('button').addEventListener('click', () => attempt(() => call('POST', 'stop')));
find('message').querySelector('button').addEventListener('click', () => say(null));
clipSource(find('ask-source'), 'A clip to classify', false, (give) => attempt(async () => {
  for (const { clip, name } of await give()) await send('ask', clip, name, state.most_bytes);
}));
// A file dropped elsewhere must not open in the tab.
for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault());
refresh();
