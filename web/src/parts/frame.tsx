import { type Connection, connection, endWithSession, status, tryAgain } from '../state/feed.ts';
import { switchTheme, theme } from '../state/theme.ts';
import { viewer } from '../state/viewer.ts';
import { clock, day, moment } from '../text/format.ts';

const SAID: Readonly<Record<Connection, string>> = {
  connecting: 'Connecting…',
  live: 'Live',
  lost: 'Disconnected',
  paused: 'Paused',
};

/** Whether the page hears from the service, and how new the newest event is. */
export function ConnectionState() {
  const said =
    status.value?.state === 'catching-up' && connection.value === 'live' ? 'Catching up' : SAID[connection.value];
  return (
    <span class={`connection ${connection.value}`}>
      <span role="status">{said}</span>
      <LastEvent />
    </span>
  );
}

function LastEvent() {
  const { value: now } = status;
  if (now === undefined || now.eventTime === null) return null;
  // The day is told when it is not today's: an old time must not look new.
  const at = day(now.eventTime) === now.today ? clock(now.eventTime) : moment(now.eventTime);
  return (
    <time dateTime={now.eventTime}>
      · <span class="roomy">last event </span>
      {at} UTC
    </time>
  );
}

/** Stands above the numbers while the service is away: they are old, and it is said how they get new. */
export function Banner() {
  if (connection.value !== 'lost') return null;
  return (
    <div class="banner" role="alert">
      <span>
        <strong>The service does not answer.</strong> Numbers stay as of the time they state; it is tried again by
        itself.
      </span>
      <button type="button" onClick={tryAgain}>
        Try now
      </button>
    </div>
  );
}

export function ThemeSwitch() {
  const isDark = theme.value === 'dark';
  return (
    <button type="button" aria-pressed={isDark} onClick={switchTheme} title={isDark ? 'Light theme' : 'Dark theme'}>
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        <path fill="currentColor" d="M8 2.2a5.8 5.8 0 0 1 0 11.6z" />
        <circle cx="8" cy="8" r="5.8" fill="none" stroke="currentColor" stroke-width="1.4" />
      </svg>
      <span class="hidden">Dark theme</span>
    </button>
  );
}

/** Who looks, and the way out; nothing where nobody has to sign in. */
export function SignedIn() {
  const { value: who } = viewer;
  if (who === undefined || !who.signedIn) return null;
  return (
    <form class="signed-in" method="post" action="sign-out" onSubmit={endWithSession}>
      <span class="note" title={who.name ?? ''}>
        {who.name}
      </span>
      <button type="submit">Sign out</button>
    </form>
  );
}
