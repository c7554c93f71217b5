// The URL of this page contains the token, as ?path=?token=… (the format of noVNC) or ?token=…
export const REFUSED = "The console could not be opened. Its URL works once, and only for a few minutes. Request a new one.";

export function takeAddress() {
    const given = new URLSearchParams(window.location.search);
    const path = given.get("path") ?? `?token=${given.get("token") ?? ""}`;
    const token = new URLSearchParams(path.slice(path.indexOf("?") + 1)).get("token") ?? "";
    // Keep the token out of the browser's history and address bar.
    window.history.replaceState(null, "", window.location.pathname);
    const scheme = window.location.protocol === "https:" ? "wss" : "ws";
    return `${scheme}://${window.location.host}/?token=${encodeURIComponent(token)}`;
}

export function say(text) {
    document.getElementById("status").textContent = text;
}
