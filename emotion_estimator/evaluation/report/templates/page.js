// Draws the figures of a page when they come into view, in the colours of its ground.
'use strict';
const darkPartners = JSON.parse(document.getElementById('dark-partners').textContent);
const dark = matchMedia('(prefers-color-scheme: dark)');
const config = {
  responsive: true,
  displaylogo: false,
  // These alone: another of Plotly's buttons uploads the figure.
  modeBarButtons: [['toImage', 'zoom2d', 'pan2d', 'zoomIn2d', 'zoomOut2d', 'resetScale2d']],
};
const thumbnailPx = 58;
const drawn = new Set();

async function draw(plot, onDark) {
  const recolour = (_, value) =>
    (onDark && typeof value === 'string' && darkPartners[value]) || value;
  const figure = JSON.parse(plot.nextElementSibling.textContent, recolour);
  const first = !drawn.has(plot);
  drawn.add(plot);
  if (!first) figure.layout.images = plot.layout.images;
  await Plotly.react(plot, figure.data, figure.layout, config);
  if (first && figure.layout.images) {
    placeThumbnails(plot);
    plot.on('plotly_relayout', () => placeThumbnails(plot));
  }
}

// Shows the thumbnails that have room at this zoom; the first of the list go before the others.
function placeThumbnails(plot) {
  const axis = plot._fullLayout.xaxis;
  const taken = [];
  let changed = false;
  const images = plot.layout.images.map(image => {
    const left = axis.d2p(image.x);
    const visible = left > -1 && left < axis._length - thumbnailPx / 2
      && taken.every(other => Math.abs(other - left) >= thumbnailPx);
    if (visible) taken.push(left);
    changed ||= visible !== (image.visible ?? true);
    return {...image, visible};
  });
  if (changed) Plotly.relayout(plot, {images});
}

const plots = [...document.querySelectorAll('.plot')];
const watcher = new IntersectionObserver(entries => {
  for (const {isIntersecting, target} of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    draw(target, dark.matches);
  }
}, {rootMargin: '600px'});
plots.forEach(plot => watcher.observe(plot));
dark.addEventListener('change', () => drawn.forEach(plot => draw(plot, dark.matches)));
// Paper is light, and nobody scrolls on it.
addEventListener('beforeprint', () => {
  plots.filter(plot => plot.checkVisibility()).forEach(plot => draw(plot, false));
});
addEventListener('afterprint', () => drawn.forEach(plot => draw(plot, dark.matches)));
