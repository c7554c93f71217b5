import RFB from "/files/novnc-1.7.0/core/rfb.js";
import { REFUSED, say, takeAddress } from "/files/address.js";

// Created here, because RFB does not report why its WebSocket was closed.
const socket = new WebSocket(takeAddress(), ["binary"]);
let opened = false, reason = "";
socket.addEventListener("open", () => { opened = true; });
socket.addEventListener("close", (event) => { reason = event.reason; });

const rfb = new RFB(document.getElementById("console"), socket, { shared: true });
rfb.scaleViewport = true;
const keys = document.getElementById("keys");
keys.addEventListener("click", () => { rfb.sendCtrlAltDel(); rfb.focus(); });
rfb.addEventListener("desktopname", (event) => { document.title = `${event.detail.name} (noVNC)`; });
rfb.addEventListener("connect", () => { say("Connected"); keys.disabled = false; rfb.focus(); });
rfb.addEventListener("disconnect", () => {
    keys.disabled = true;
    say(opened ? reason || "The console has ended." : REFUSED);
});
