import { mount } from 'svelte'
import App from './App.svelte'
import { app } from './state/app.svelte'
import './style/tokens.css'
import './style/base.css'
import { words } from './text/text.svelte'

const target = document.getElementById('app')
if (!target) throw new Error('the page has no place for the app')
await words.begin()
mount(App, { target })
await app.begin()
