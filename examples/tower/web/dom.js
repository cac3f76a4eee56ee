export const $ = (id) => document.getElementById(id);

/** An element with properties and children; className, textContent and the like. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Tells the user one thing, until the next or "". */
export function say(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

const troubles = new Map();

/** Tells of something that is tried again; an empty text says that it works. */
export function trouble(about, text) {
  if (text) troubles.set(about, text);
  else troubles.delete(about);
  const first = troubles.values().next().value;
  $("trouble").textContent = first ? `${first} Trying again.` : "";
  $("trouble").hidden = !first;
}

export function noTroubles() {
  troubles.clear();
  trouble();
}

/** Gives the focus to an element if the present one is lost by a change. */
export function keepFocus(change, otherwise) {
  const had = document.activeElement;
  change();
  if (had !== document.body && (document.activeElement === document.body || !had?.checkVisibility())) otherwise()?.focus();
}
