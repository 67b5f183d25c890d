import { render } from 'preact';
import { App } from './app.tsx';
import { startFeed } from './state/feed.ts';
import './style/tokens.css';
import './style/page.css';
import './style/figures.css';

const place = document.getElementById('page');
if (place !== null) {
  startFeed();
  render(<App />, place);
}
