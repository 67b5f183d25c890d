import type { EChartsCoreOption, EChartsType } from 'echarts/core';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Palette, palette } from '../charts/palette.ts';
import { theme } from '../state/theme.ts';

/** What a chart draws, in the colours of the theme that is on. */
export type Drawing = (colours: Palette, height: number) => EChartsCoreOption;

interface ChartProps {
  readonly drawing: Drawing;
  /** What the chart says, in words: for who cannot see it. */
  readonly label: string;
  /** In pixels. */
  readonly height: number;
  /** Called with the name of the mark that was clicked. The same must be reachable by keyboard elsewhere. */
  readonly onPick?: ((name: string) => void) | undefined;
}

const still = matchMedia('(prefers-reduced-motion: reduce)');

export function Chart({ drawing, label, height, onPick }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const pick = useRef(onPick);
  const [chart, setChart] = useState<EChartsType>();
  const [failed, setFailed] = useState(false);
  const on = theme.value;
  pick.current = onPick;

  useEffect(() => {
    let made: EChartsType | undefined;
    let gone = false;
    const resize = new ResizeObserver(() => made?.resize());
    import('../charts/echarts.ts').then(
      ({ init }) => {
        if (gone || place.current === null) return;
        made = init(place.current);
        made.on('click', (mark) => pick.current?.(String(mark.name)));
        resize.observe(place.current);
        setChart(made);
      },
      () => setFailed(true),
    );
    return () => {
      gone = true;
      resize.disconnect();
      made?.dispose();
    };
  }, []);
  useEffect(() => {
    if (chart === undefined) return;
    const colours = palette();
    const base = { animation: !still.matches, animationDuration: 250, animationDurationUpdate: 250 };
    chart.setOption({ ...base, textStyle: { fontFamily: colours.font }, ...drawing(colours, height) });
  }, [chart, drawing, on, height]);

  if (failed) return <p class="note">The chart could not be loaded; its table has the same numbers.</p>;
  return <div ref={place} class="chart" role="img" aria-label={label} style={{ height: `${height}px` }} />;
}
