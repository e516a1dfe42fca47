// What a model can show. Views that no shown model has are hidden; one line says which, and why.

const VIEWS = ["picture", "attention", "similarity", "reconstruction", "relevance", "predictions"];
const REASONS = [
  ["no tokens", (model) => model.has_attention, ["attention", "similarity", "reconstruction", "relevance"]],
  ["no decoder", (model) => model.reconstructs, ["reconstruction"]],
  ["no classes", (model) => model.predicts, ["predictions", "relevance"]],
];

/** True if a model has the view. */
export const can = (model, view) => REASONS.every(([, has, views]) => has(model) || !views.includes(view));

/** What a model does not have, in one sentence; empty if it has everything. */
function lacks(model) {
  const said = new Set();
  const parts = REASONS.flatMap(([reason, has, views]) => {
    const fresh = has(model) ? [] : views.filter((view) => !said.has(view));
    fresh.forEach((view) => said.add(view));
    return fresh.length ? [`${reason}: no ${fresh.join(", no ")}`] : [];
  });
  return parts.length ? `${model.name} has ${parts.join("; ")}.` : "";
}

/** Shows the views that the models have, and says what they do not have. */
export function drawAbilities(models) {
  for (const view of VIEWS) {
    document.querySelector(`[data-view="${view}"]`).parentElement.hidden = !models.some((model) => can(model, view));
  }
  const text = models.map(lacks).filter(Boolean).join(" ");
  const line = document.getElementById("absent");
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !text;
}
