import { useLayoutEffect, useRef } from 'preact/hooks';
import { Banner, ConnectionState, SignedIn, ThemeSwitch } from './parts/frame.tsx';
import { offersPipeline } from './state/offers.ts';
import { link, route } from './state/route.ts';
import { ownCompany } from './state/viewer.ts';
import { Customers } from './views/customers.tsx';
import { Jobs } from './views/jobs.tsx';
import { Live } from './views/live.tsx';
import { Pipeline } from './views/pipeline.tsx';
import { RiskView } from './views/risk.tsx';

const VIEWS = [
  { name: 'customers', title: 'Customers', show: Customers },
  { name: 'jobs', title: 'Jobs', show: Jobs },
  { name: 'risk', title: 'Risk', show: RiskView },
  { name: 'live', title: 'Live', show: Live },
  { name: 'pipeline', title: 'Pipeline', show: Pipeline },
] as const;

/** Those that make sense of one company. */
const OF_ONE: ReadonlySet<string> = new Set(['jobs', 'live']);

export function App() {
  const { view, detail } = route.value;
  const own = ownCompany();
  const offered = own === undefined ? VIEWS : VIEWS.filter(({ name }) => OF_ONE.has(name));
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const known = offered.find(({ name }) => name === view);
  const shown = known ?? offered[0] ?? VIEWS[0];
  const { show: View, title } = shown;
  const tabs = offered.filter((each) => each.name !== 'pipeline' || each === shown || offersPipeline.value);
  // Whenever another view is shown, and before anybody can read it under the title of the last one.
  useLayoutEffect(() => {
    document.title = `${detail === undefined ? title : `${detail} · ${title}`} · Tenant analytics`;
    // A new view is read from its start; the first one leaves the focus where the browser has it.
    if (!isFirst.current) {
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    isFirst.current = false;
  }, [view, detail]);

  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the numbers
      </button>
      <div class="top">
        <header class="bar">
          <a class="brand" href={link(offered === VIEWS ? 'customers' : 'jobs')}>
            <img src="./favicon.svg" alt="" width="20" height="20" />
            Tenant analytics
          </a>
          <nav aria-label="Views">
            {tabs.map((each) => (
              <a key={each.name} href={link(each.name)} aria-current={each === shown ? 'page' : undefined}>
                {each.title}
              </a>
            ))}
          </nav>
          <div class="side">
            <ConnectionState />
            <ThemeSwitch />
            <SignedIn />
          </div>
        </header>
        <Banner />
      </div>
      <main id="main" ref={main} tabIndex={-1}>
        <View key={shown.name} detail={known && detail} />
      </main>
    </>
  );
}
