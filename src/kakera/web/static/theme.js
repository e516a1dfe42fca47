// Light or dark: what was chosen last, else what the system prefers. Loaded before the page is drawn.
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
  if (button) button.textContent = theme === "dark" ? "Light page" : "Dark page";
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
      // not remembered, but switched
    }
    apply(root.dataset.chosen);
  });
});
