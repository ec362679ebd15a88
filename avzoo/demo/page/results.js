// The classifier, and its predictions.

const METHODS = { prototypes: 'Class means', logistic_regression: 'Logistic regression', discriminant: 'Linear discriminant', base_discriminant: 'Linear discriminant with base clips' };
const WORDS = { visual: 'pictures', audio: 'sound' };
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function showModel(element, model) {
  element.replaceChildren();
  if (!model) {
    element.append(make('p', 'hint', 'There is no classifier yet.'));
    return;
  }
  const from = model.modalities.map((modality) => WORDS[modality]).join(' and ');
  const title = model.title ? `${model.title}: ` : '';
  element.append(make('p', '', `${title}${model.classes.length} classes, from ${from}: ${model.classes.join(', ')}.`));
  const methods = Object.keys(model.report);
  if (methods.length) element.append(reportTable(model, methods));
  else element.append(make('p', 'hint', `Method: ${METHODS[model.method]}. Methods are compared if every class has two clips.`));
  if (model.changed) element.append(make('p', 'hint', 'The examples have changed since then. Train again to use them.'));
}

function reportTable(model, methods) {
  const table = make('table');
  table.append(make('caption', '', 'Accuracy on held-out examples'));
  for (const name of methods) {
    const row = make('tr', name === model.method ? 'chosen' : '');
    const head = make('th', '', METHODS[name] + (name === model.method ? ' (used)' : ''));
    head.scope = 'row';
    row.append(head, make('td', '', percent(model.report[name])));
    table.append(row);
  }
  return table;
}

export function showAnswer(element, answer) {
  element.replaceChildren(make('h3', '', answer.name), bars(answer.classes));
  if (answer.frames.length) element.append(make('h3', '', 'The frames that were seen'), frames(answer.frames));
  if (answer.log_mel) element.append(make('h3', '', 'The log-mel spectrogram of the sound'), logMel(answer.log_mel));
}

function bars(classes) {
  const list = make('ul', 'bars');
  for (const one of classes) {
    const item = make('li');
    const track = make('div', 'track');
    const fill = make('div', 'fill');
    fill.style.width = `${100 * one.probability}%`;
    track.append(fill);
    item.append(make('span', 'name', one.name), make('span', 'percent', percent(one.probability)), track);
    list.append(item);
  }
  return list;
}

function frames(seen) {
  const strip = make('div', 'frames');
  for (const frame of seen) {
    const figure = make('figure');
    const image = make('img');
    image.src = frame.picture;
    image.alt = `Frame at ${frame.seconds} seconds`;
    figure.append(image, make('figcaption', '', `${frame.seconds.toFixed(2)} s`));
    strip.append(figure);
  }
  return strip;
}

function logMel(seen) {
  const figure = make('figure', 'log-mel');
  const image = make('img');
  image.src = seen.picture;
  image.alt = `Log-mel spectrogram of ${seen.seconds} seconds, low frequencies at the bottom`;
  figure.append(image, make('figcaption', '', `${seen.seconds.toFixed(2)} s; low frequencies at the bottom, bright is loud`));
  return figure;
}
