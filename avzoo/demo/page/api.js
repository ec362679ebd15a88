// Requests to the server, each with the key of this run of the program.

const STORED = 'avzoo-token';

// The key comes after the # of the address, is kept for this tab, and is removed from the address bar.
if (location.hash.length > 1) {
  sessionStorage.setItem(STORED, location.hash.slice(1));
  history.replaceState(null, '', location.pathname);
}

export async function call(method, place, body, headers = {}) {
  const options = { method, headers: { 'X-Avzoo-Token': sessionStorage.getItem(STORED) ?? '', ...headers } };
  if (body !== undefined) options.body = body instanceof Blob ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(`/api/${place}`, options);
  } catch {
    throw new Error('The program does not respond. Start it again, and open the address that it shows.');
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

export async function send(place, clip, name, mostBytes) {
  if (clip.size > mostBytes) {
    const most = Math.round(mostBytes / 1e6);
    throw new Error(`${name} is larger than ${most} MB. Cut it, or start the program with a larger --max-mb.`);
  }
  return call('POST', place, clip, { 'X-Clip-Name': encodeURIComponent(name.slice(0, 80)) });
}
