// Makes elements. Texts are always set as texts, never as HTML: what servers and people write can't become markup.

/**
 * Makes an element.
 * @param {string} tag its name, such as "div", or with a class, such as "div.answer"
 * @param {Object<string, any>} attributes "on..." are listeners; false and undefined ones are left away
 * @param {...(Node|string)} children what is in it
 */
export function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  made.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);
