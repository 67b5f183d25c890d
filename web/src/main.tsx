import { render } from 'preact';
import { App } from './app.tsx';
import { startFeed } from './state/feed.ts';
import { untilViewer } from './state/viewer.ts';
import './style/tokens.css';
import './style/page.css';
import './style/figures.css';

const place = document.getElementById('page');
if (place !== null) {
  // Only then: what one may not see is neither shown nor asked for.
  void untilViewer().then(() => {
    startFeed();
    render(<App />, place);
  });
}
