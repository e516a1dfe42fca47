// The light or dark theme: the stored choice, else the system's preference. Loaded before the page is drawn.
const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** @returns {string | null} */
function remembered() {
  try {
    return localStorage.getItem("kakera-theme");
  } catch {
    return null; // storage is switched off
  }
}

function apply(theme) {
  root.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (button) button.textContent = theme === "dark" ? "Light theme" : "Dark theme";
}

const current = () => remembered() ?? root.dataset.chosen ?? (prefersDark.matches ? "dark" : "light");
apply(current());
prefersDark.addEventListener("change", () => apply(current()));
document.addEventListener("DOMContentLoaded", () => {
  apply(current());
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("kakera-theme", root.dataset.chosen);
    } catch {
      // the choice is not stored, but the theme changes
    }
    apply(root.dataset.chosen);
  });
});
