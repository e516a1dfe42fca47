// The figures of the page: progress, accuracy, and whether choosing pays.
const at = (id) => document.getElementById(id);

/** A share in per cent. */
export const per = (share) => `${(100 * share).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`;
const points = (share) => (100 * share).toFixed(1).replace("-", "−");

/** Writes the progress, and what is known of the head. @param {object} progress as the server sends it */
export function drawProgress({ files, labelled, skipped, people, table, ...head }) {
  const { accuracy, sample, chosen, random, gain, replaced, verdict } = head;
  at("bar").value = files ? (labelled + skipped) / files : 0;
  const others = people > 1 ? `; ${people} people at work` : "";
  at("labelled").textContent = `${labelled} of ${files}${skipped ? `, ${skipped} skipped` : ""}${others}; in ${table}`;
  at("accuracy").textContent = accuracy
    ? `${per(accuracy.value)} (${per(accuracy.low)} to ${per(accuracy.high)}) on ${sample} random files`
    : "not known yet: it needs random files";
  const share = ([hits, count]) => (count ? `${per(hits / count)} of ${count}` : "none yet");
  at("harder").textContent = `chosen ${share(chosen)}, random ${share(random)}`;
  const range = gain ? `${points(gain.low)} to ${points(gain.high)} points for ${replaced} labels` : "";
  at("verdict").textContent = {
    early: "too early to say: it needs 10 chosen and 10 random files",
    pays: `pays: ${range} better than random files`,
    stopped: `has stopped paying: ${range}; random files are as good`,
    open: `open: ${range}, so random files may be as good`,
  }[verdict];
}
