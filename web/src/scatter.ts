// Points on a canvas, by WebGL. A library such as regl-scatterplot would do more, but regl compiles with `Function`,
// which the page's Content-Security-Policy does not allow.
import { quadtree, type Quadtree } from "d3-quadtree";
import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomTransform } from "d3-zoom";
import * as twgl from "twgl.js";
import type { MapData } from "./mapData";

export const COLOURED = 12; // so many genres have a colour of their own
const FURTHEST = 200; // the largest zoom
const CATCH_PX = 12; // a click this near to a point means it
const MARGIN = 0.94;
const STEP_PX = 60;
const BEYOND = 0.25; // so much of the map is drawn beyond each edge
const SETTLED_MS = 100;

const VERTEX = `#version 300 es
in vec2 position; in float genre;
uniform vec2 scale; uniform vec2 offset; uniform float size; uniform vec4 palette[${COLOURED + 1}];
out vec4 colour;
void main() {
  gl_Position = vec4(position * scale + offset, 0, 1);
  gl_PointSize = size;
  colour = palette[min(int(genre), ${COLOURED})];
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 colour; out vec4 pixel;
void main() {
  vec2 away = gl_PointCoord - 0.5;
  if (dot(away, away) > 0.25) discard;
  pixel = vec4(colour.rgb * colour.a, colour.a);
}`;

export type Colour = readonly [number, number, number, number];

/**
 * Draws the points, and lets the listener pan, zoom and choose.
 *
 * While the listener pans, the picture is moved. It is drawn anew when the listener pauses. So panning is smooth
 * also where no graphics card draws 100,000 points.
 */
export class Scatter {
  private readonly gl: WebGL2RenderingContext;
  private readonly program: twgl.ProgramInfo;
  private readonly points: twgl.BufferInfo;
  private readonly zooming = zoom<HTMLElement, unknown>().scaleExtent([1, FURTHEST]);
  private readonly resizing = new ResizeObserver(() => this.draw());
  private tree: Quadtree<number> | null = null;
  private view: ZoomTransform = zoomIdentity;
  private palette: number[] = [];
  private drawn: ZoomTransform = zoomIdentity;
  private timer = 0;
  private frame = 0;

  /** The canvas fills the box and reaches beyond its edges. */
  constructor(
    private readonly box: HTMLElement,
    private readonly canvas: HTMLCanvasElement,
    private readonly data: MapData,
    private readonly moved: () => void,
  ) {
    const gl = canvas.getContext("webgl2", { antialias: false });
    if (!gl) throw new Error("This browser draws no map: it has no WebGL 2.");
    this.gl = gl;
    this.program = twgl.createProgramInfo(gl, [VERTEX, FRAGMENT]);
    const position = new Float32Array(2 * data.x.length);
    data.x.forEach((x, i) => (position[2 * i] = x));
    data.y.forEach((y, i) => (position[2 * i + 1] = y));
    this.points = twgl.createBufferInfoFromArrays(gl, {
      position: { numComponents: 2, data: position },
      genre: { numComponents: 1, data: data.genre, normalize: false },
    });
    this.zooming.on("zoom", (event: { transform: ZoomTransform }) => {
      this.view = event.transform;
      this.move();
    });
    select(box).call(this.zooming);
    this.resizing.observe(box);
  }

  close(): void {
    this.resizing.disconnect();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** Set the colour of each of the first genres, then that of all others. */
  paint(colours: readonly Colour[]): void {
    this.palette = colours.flat();
    this.draw();
  }

  /** Where a point is on the canvas, in CSS pixels. */
  place(index: number): [number, number] {
    const [middle, centre, radius] = this.square();
    return this.view.apply([middle + radius * this.data.x[index]!, centre - radius * this.data.y[index]!]);
  }

  /** The point at a place on the canvas, or undefined. */
  at(px: number, py: number, within = CATCH_PX): number | undefined {
    const { x, y } = this.data;
    this.tree ??= quadtree<number>(Array.from(x.keys()), (i) => x[i]!, (i) => y[i]!);
    const [middle, centre, radius] = this.square();
    const [sx, sy] = this.view.invert([px, py]);
    return this.tree.find((sx - middle) / radius, (centre - sy) / radius, within / (radius * this.view.k));
  }

  /** Bring a point to the middle. */
  show(index: number, k = 12): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    const [middle, centre, radius] = this.square();
    const [x, y] = [middle + radius * this.data.x[index]!, centre - radius * this.data.y[index]!];
    this.zooming.transform(select(this.box), zoomIdentity.translate(width / 2 - k * x, height / 2 - k * y).scale(k));
  }

  pan(x: number, y: number): void {
    this.zooming.translateBy(select(this.box), (x * STEP_PX) / this.view.k, (y * STEP_PX) / this.view.k);
  }

  scale(by: number): void {
    this.zooming.scaleBy(select(this.box), by);
  }

  reset(): void {
    this.zooming.transform(select(this.box), zoomIdentity);
  }

  /** The middle of the box and half the side of the square of the map, in CSS pixels, before the zoom. */
  private square(): [number, number, number] {
    const { clientWidth: width, clientHeight: height } = this.box;
    return [width / 2, height / 2, (MARGIN * Math.min(width, height)) / 2];
  }

  /** Move the picture to where the view is now, and draw it anew when the view has settled. */
  private move(): void {
    const { view, drawn } = this;
    const k = view.k / drawn.k;
    const [x, y] = [BEYOND * this.box.clientWidth, BEYOND * this.box.clientHeight];
    this.canvas.style.transformOrigin = `${x}px ${y}px`;
    this.canvas.style.transform = `translate(${view.x - k * drawn.x}px, ${view.y - k * drawn.y}px) scale(${k})`;
    this.moved();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.draw(), SETTLED_MS);
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  private drawNow(): void {
    const { canvas, gl, view } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!this.palette.length || !width || !height) return;
    this.drawn = view;
    canvas.style.transform = "";
    twgl.resizeCanvasToDisplaySize(canvas, devicePixelRatio);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const [middle, centre, radius] = this.square();
    gl.useProgram(this.program.program);
    twgl.setBuffersAndAttributes(gl, this.program, this.points);
    twgl.setUniforms(this.program, {
      scale: [(2 * view.k * radius) / width, (2 * view.k * radius) / height],
      offset: [
        (2 * (view.k * middle + view.x + BEYOND * this.box.clientWidth)) / width - 1,
        1 - (2 * (view.k * centre + view.y + BEYOND * this.box.clientHeight)) / height,
      ],
      size: devicePixelRatio * this.pointSize(),
      palette: this.palette,
    });
    twgl.drawBufferInfo(gl, this.points, gl.POINTS);
    this.moved();
  }

  /** Many points are small, and grow while the listener zooms in. */
  private pointSize(): number {
    const alone = 120 / Math.sqrt(Math.max(1, this.data.x.length));
    return Math.min(14, Math.max(2, alone) * Math.sqrt(this.view.k));
  }
}
