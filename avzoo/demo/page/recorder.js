// Record a clip with the camera and the microphone.

const LONGEST = 10; // Seconds.
const KINDS = ['video/webm;codecs=vp8,opus', 'video/webm', 'video/mp4'];
const dialog = document.getElementById('recorder');
const video = dialog.querySelector('video');
const status = dialog.querySelector('[role=status]');
const button = (name) => dialog.querySelector(`[data-do=${name}]`);
let taken = 0;
let open = false;

// Resolves to { clip, name }, or to null if the user cancels. Throws if there is no camera.
export async function record() {
  if (!navigator.mediaDevices || !window.MediaRecorder) throw new Error('This browser cannot record. Choose files instead.');
  if (open) return null; // A second click while the browser asks for permission.
  open = true;
  let stream;
  try {
    stream = await askForCamera();
    video.srcObject = stream;
    video.play();
    dialog.showModal();
    show(false);
    return await recorded(stream);
  } finally {
    open = false;
    stream?.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    dialog.close();
  }
}

async function askForCamera() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
  } catch (error) {
    throw new Error(`Camera and microphone cannot be used (${error.name}). Allow them in the browser, or choose files.`);
  }
}

function recorded(stream) {
  return new Promise((resolve, reject) => {
    const recorder = new MediaRecorder(stream, { mimeType: KINDS.find((kind) => MediaRecorder.isTypeSupported(kind)) });
    const parts = [];
    let cancelled = false;
    let ticking;
    const stop = () => {
      clearInterval(ticking);
      if (recorder.state === 'inactive') resolve(null);
      else recorder.stop();
    };
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onerror = (event) => reject(new Error(`The recording failed (${event.error?.name ?? 'unknown'}). Try again.`));
    recorder.onstop = () => {
      resolve(cancelled ? null : { clip: new Blob(parts, { type: recorder.mimeType }), name: `recording ${++taken}` });
    };
    button('record').onclick = () => {
      recorder.start();
      const began = performance.now();
      show(true);
      ticking = setInterval(() => {
        const seconds = (performance.now() - began) / 1000;
        status.textContent = `${seconds.toFixed(0)} of at most ${LONGEST} seconds`;
        if (seconds >= LONGEST) stop();
      }, 250);
    };
    button('stop').onclick = stop;
    const cancel = (event) => {
      event.preventDefault();
      cancelled = true;
      stop();
    };
    button('cancel').onclick = cancel;
    dialog.oncancel = cancel; // The key Escape.
  });
}

function show(recording) {
  button('record').hidden = recording;
  button('stop').hidden = !recording;
  status.textContent = recording ? 'Recording' : `Up to ${LONGEST} seconds.`;
  button(recording ? 'stop' : 'record').focus();
}
