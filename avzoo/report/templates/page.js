'use strict';
// Sorting: a click on a heading sorts by that column, another one turns the order round.
for (const table of document.querySelectorAll('table')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener('click', () => {
    const up = head.getAttribute('aria-sort') === 'descending' || !head.hasAttribute('aria-sort') && !numeric(table, column);
    heads.forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (up ? 1 : -1) * compare(a.cells[column], b.cells[column]));
    table.tBodies[0].append(...rows);
  }));
}

function numeric(table, column) {
  return [...table.tBodies[0].rows].some(row => 'value' in row.cells[column].dataset);
}

function compare(a, b) {
  const [x, y] = [a, b].map(cell => 'value' in cell.dataset ? Number(cell.dataset.value) : NaN);
  if (isNaN(x) && isNaN(y)) return a.textContent.localeCompare(b.textContent);
  return isNaN(x) ? -1 : isNaN(y) ? 1 : x - y;
}

// Values under the pointer, or at the part that has the focus.
const tip = document.getElementById('tip');
for (const [id, text] of Object.entries(JSON.parse(document.getElementById('tips').textContent))) {
  const part = document.getElementById(id);
  if (!part) continue;
  part.addEventListener('pointermove', event => show(text, event.clientX, event.clientY));
  part.addEventListener('pointerleave', () => { tip.hidden = true; });
}

function show(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 8 : y + 18}px`;
}
