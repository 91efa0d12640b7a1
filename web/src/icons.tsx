const SHAPES = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  next: "M6 5l9 7-9 7zM16 5h3v14h-3z",
  previous: "M18 5l-9 7 9 7zM5 5h3v14H5z",
  love: "M12 20.5l-1.4-1.3C5.4 14.5 2 11.4 2 7.6 2 4.5 4.4 2.2 7.4 2.2c1.7 0 3.4.8 4.6 2.2 1.2-1.4 2.9-2.2 4.6-2.2 3 0 5.4 2.3 5.4 5.4 0 3.8-3.4 6.9-8.6 11.6z",
  hate: "M12 2a10 10 0 100 20 10 10 0 000-20zm0 2.4c1.6 0 3.2.5 4.5 1.5L5.9 16.5A7.6 7.6 0 0112 4.4zm0 15.2c-1.6 0-3.2-.5-4.5-1.5L18.1 7.5A7.6 7.6 0 0112 19.6z",
  more: "M6 10a2 2 0 100 4 2 2 0 000-4zm6 0a2 2 0 100 4 2 2 0 000-4zm6 0a2 2 0 100 4 2 2 0 000-4z",
  queue: "M3 6h13v2H3zm0 5h13v2H3zm0 5h9v2H3zm14-2v7l5-3.5z",
  close: "M6.4 5L5 6.4 10.6 12 5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6L19 6.4 17.6 5 12 10.6z",
} as const;

export type Shape = keyof typeof SHAPES;

export function Icon({ shape }: { shape: Shape }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[shape]} />
    </svg>
  );
}
