// Lines of a round pen as pixels: ink() in utils/widgets/_ink.py.
import { clamp } from "./math.js";

/** How much of each pixel lies under the pen, by its distance to lines of points [x, y]; row by row. */
export function ink(lines, side, radius) {
  const nearest = new Float64Array(side * side).fill(Infinity);
  const reach = radius + 0.5; // what lies farther away stays without ink
  const span = (a, b) => [Math.max(0, Math.ceil(Math.min(a, b) - reach)), Math.min(side - 1, Math.max(a, b) + reach)];
  for (const line of lines) {
    line.forEach(([x0, y0], k) => {
      const [x1, y1] = line[Math.min(k + 1, line.length - 1)];
      const [dx, dy] = [x1 - x0, y1 - y0];
      const length2 = dx * dx + dy * dy;
      const [[left, right], [top, bottom]] = [span(x0, x1), span(y0, y1)];
      for (let y = top; y <= bottom; y += 1)
        for (let x = left; x <= right; x += 1) {
          const t = length2 > 0 ? clamp(((x - x0) * dx + (y - y0) * dy) / length2, 0, 1) : 0;
          const i = y * side + x;
          const [ex, ey] = [x - x0 - t * dx, y - y0 - t * dy];
          nearest[i] = Math.min(nearest[i], Math.sqrt(ex * ex + ey * ey)); // rounded as NumPy does
        }
    });
  }
  return nearest.map((distance) => clamp(reach - distance, 0, 1));
}
