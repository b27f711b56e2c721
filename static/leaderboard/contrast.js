// @ts-check
/**
 * Keeps the words of a board readable whatever colours a page gives it, in the light scheme and in the dark one.
 *
 * A colour that has less than 4.5 : 1 (WCAG AA) on its ground becomes black or white, whichever stands out more: one of
 * them always has 4.5 : 1. What can be read is left as the page wants it. Pictures behind a board that lets them shine
 * through are not known here.
 */

const LEAST = 4.5;
/** @typedef {[number, number, number, number]} Colour sRGB and alpha, 0 to 1 */

/** The colour of `text` over `ground`. @param {Colour} text @param {Colour} ground @returns {Colour} */
const over = ([r, g, b, a], ground) => {
  const mix = (/** @type {number} */ one, /** @type {number} */ other) => one * a + other * (1 - a);
  return [mix(r, ground[0]), mix(g, ground[1]), mix(b, ground[2]), a + ground[3] * (1 - a)];
};

/** Relative luminance, WCAG 2. @param {Colour} colour */
function luminance([r, g, b]) {
  const [red, green, blue] = [r, g, b].map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {Colour} text @param {Colour} ground opaque */
function contrast(text, ground) {
  const [light, dark] = [luminance(over(text, ground)), luminance(ground)].sort((one, other) => other - one);
  return (light + 0.05) / (dark + 0.05);
}

/** @param {HTMLElement} probe @param {string} css any colour, or var() of one @returns {Colour} */
function colour(probe, css) {
  probe.style.color = '';
  probe.style.color = `color-mix(in srgb, ${css}, ${css})`; // comes back as color(srgb r g b / a)
  const found = getComputedStyle(probe).color.match(/-?[\d.]+(e-?\d+)?/g) ?? [];
  const [r = 0, g = 0, b = 0, a = 1] = found.map((number) => Math.min(1, Math.max(0, Number(number))));
  return [r, g, b, a];
}

/** What is behind the board. @param {HTMLElement} host @param {HTMLElement} probe @returns {Colour} */
function behind(host, probe) {
  const layers = [];
  for (let node = /** @type {Node|null} */ (host); node; node = node.parentNode ?? /** @type {ShadowRoot} */ (node).host) {
    if (!(node instanceof Element)) continue;
    const layer = colour(probe, getComputedStyle(node).backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) break;
  }
  return layers.reduceRight((ground, layer) => over(layer, ground), colour(probe, 'canvas'));
}

/** Sets the colours of `frame` that the page's own make necessary. @param {HTMLElement} frame */
export function keepReadable(frame) {
  const root = /** @type {ShadowRoot} */ (frame.getRootNode());
  const host = /** @type {HTMLElement} */ (root.host);
  const probe = document.createElement('span'); // beside the frame: what is set there must not be read back
  probe.hidden = true;
  root.append(probe);
  const given = (/** @type {string} */ name) => colour(probe, `var(--_${name})`);
  const background = given('bg');
  const ground = over(background, background[3] < 1 ? behind(host, probe) : background);
  const yours = over(given('you'), ground);

  /** @param {string} name @param {Colour} text @param {Colour} under */
  const judge = (name, text, under) => {
    const poor = contrast(text, under) < LEAST;
    const better = luminance(under) > 0.179 ? '#000' : '#fff';
    if (poor) frame.style.setProperty(`--_${name}`, better);
    else frame.style.removeProperty(`--_${name}`);
    return poor ? colour(probe, better) : text;
  };
  const text = judge('fg', given('fg'), ground);
  const muted = judge('muted', given('muted'), ground);
  judge('accent', given('accent'), ground);
  judge('bad', given('bad'), ground);
  const good = judge('good', given('good'), ground);
  judge('you-fg', text, yours);
  judge('you-muted', muted, yours);
  judge('on-good', background, over(good, ground));
  // A ground that can be seen through would be laid twice under a row.
  if (background[3] < 1) frame.style.setProperty('--_row', 'transparent');
  else frame.style.removeProperty('--_row');
  probe.remove();
}
