// Applies the colour scheme that was chosen here before, ahead of the first paint. Without a choice, the system's stands.
(() => {
  try {
    const chosen = localStorage.getItem('signwave-theme');
    if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that keeps nothing shows the system's scheme.
  }
})();
