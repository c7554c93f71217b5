import { Terminal } from "/files/xterm-6.0.0/xterm.mjs";
import { REFUSED, say, takeAddress } from "/files/address.js";

const terminal = new Terminal({ cursorBlink: true, scrollback: 5000 });
terminal.open(document.getElementById("console"));
const socket = new WebSocket(takeAddress(), ["binary"]);
socket.binaryType = "arraybuffer";
let opened = false;
socket.addEventListener("open", () => {
    opened = true;
    say("Connected. Press Enter if nothing is shown.");
});
socket.addEventListener("message", (event) => terminal.write(new Uint8Array(event.data)));
socket.addEventListener("close", (event) => { say(opened ? event.reason || "The console has ended." : REFUSED); });

function send(bytes) {
    if (socket.readyState === WebSocket.OPEN) {
        socket.send(bytes);
    }
}
terminal.onData((text) => send(new TextEncoder().encode(text)));
terminal.onBinary((text) => send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
terminal.focus();
