// The text on the screen: final segments below each other, and what is still being said after them.

const find = (id) => document.getElementById(id);

export class Text {
  #place = find("text");
  #final = find("final");

  // A segment that changes no more: screen readers say it.
  add({ start, text }) {
    const [line, time] = [document.createElement("p"), document.createElement("time")];
    time.textContent = minutes(start);
    time.ariaHidden = "true";
    line.append(time, text.trim());
    this.#change(() => this.#final.append(line));
  }

  showPartial({ stable_text, unstable_text }) {
    this.#change(() => {
      find("stable").textContent = stable_text.trimStart();
      find("unstable").textContent = stable_text === "" ? unstable_text.trimStart() : unstable_text;
    });
  }

  clear() {
    this.#final.replaceChildren();
    this.#place.scrollTop = 0;
  }

  // Who reads at the end stays there; who has scrolled back is left where they are.
  #change(write) {
    const { scrollHeight, scrollTop, clientHeight } = this.#place;
    const atEnd = scrollHeight - scrollTop - clientHeight < 40;
    write();
    if (atEnd) this.#place.scrollTop = this.#place.scrollHeight;
  }
}

export function minutes(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
