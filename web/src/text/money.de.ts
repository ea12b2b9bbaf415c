// Die Wörter der Geldseiten auf Deutsch.
import type { MoneyCatalogue } from './money'

export const moneyDe: MoneyCatalogue = {
  // Das Passwort noch einmal.
  confirm_title: 'Bitte dein Passwort', confirm: 'Ausgeben erlauben',
  confirm_text: 'Was Geld kostet, braucht das Passwort dieser Seite noch einmal. Danach darf dieser Browser 15 Minuten lang ausgeben. Zum Anhalten braucht es das nie.',
  // Eine Spur kaufen.
  faster_title: 'Schneller, für Geld', lane: 'Wie schnell', faster_closed: 'Dieser Knoten kann noch keine schnellere Spur bezahlen. Er braucht eine Wallet und ein Netz, auf dem ihr Geld liegt.',
  to_wallet: 'Zur Wallet', lane_slow: 'Langsam', lane_medium: 'Mittel', lane_fast: 'Schnell', lane_slow_text: 'Kostenlos. Wie BitTorrent immer war.',
  lane_medium_text: 'Bietet bis zum 1,25-Fachen des üblichen Preises.', lane_fast_text: 'Bietet bis zum Dreifachen des üblichen Preises: kommt vor anderen dran.',
  budget: 'Budget, {symbol}', budget_text: 'Insgesamt, für diesen Torrent. Niemals mehr.', max_price: 'Höchster Preis je GiB, {symbol}',
  max_price_none: 'aus dem Budget', max_price_text: 'Wer mehr verlangt, bekommt nichts. Leer: das Budget durch die Größe.',
  amount_wrong: 'Ein Betrag besteht aus Ziffern mit Punkt oder Komma, höchstens {digits} dahinter.',
  before: 'Was es kosten wird', costs_most: 'Es kostet höchstens', spent_already: 'Davon schon ausgegeben', left_costs: 'Die fehlenden {size} zum höchsten Preis',
  left_costs_unknown: 'innerhalb des Budgets', asks_now: 'Verkäufer verlangen jetzt', asks_none: 'Noch kein Verkäufer hat einen Preis genannt. Sie tun es, sobald das Kaufen an ist.',
  balance: 'Der Knoten darf ausgeben', balance_none: 'Noch nichts: bevor du es erlaubst, kann nichts gekauft werden.', balance_vault: 'Im Tresor:', budget_short: 'Zum höchsten Preis endet das Budget nach {size}. Der Rest kommt dann kostenlos, langsamer.',
  turn_on: 'Auch das Kaufen einschalten: es ist für den ganzen Knoten aus', buy: 'Kaufen', take_free: 'Kostenlose Spur nehmen', change_lane: 'Ändern',
  lane_is_free: 'Er ist jetzt in der kostenlosen Spur. Für ihn wird nichts mehr bezahlt.', lane_bought: 'Gekauft. Was es kostet, steht unter Zahlungen.',
  lane_waits: 'Notiert. Gekauft wird erst, wenn das Kaufen an ist.',
  // Was ein Torrent kostet.
  budget_used: 'Vom Budget verbraucht', of_budget: 'von', buying_is_off: 'Das Kaufen ist für den ganzen Knoten aus, deshalb wird nichts bezahlt.',
  budget_near_text: 'Vier Fünftel des Budgets sind verbraucht. An seinem Ende wird nichts mehr gekauft und der Rest kommt kostenlos: erhöhe das Budget, damit es so weitergeht.',
  budget_over_text: 'Das Budget ist verbraucht: es wird nichts mehr gekauft, der Rest kommt kostenlos. Damit es schneller weitergeht, erhöhe das Budget.',
  hold_budget: 'Das Budget ist verbraucht: erhöhe es, damit es weitergeht.', hold_day: 'Was am Tag ausgegeben werden darf, ist verbraucht: warte auf morgen (UTC) oder erhöhe das Tageslimit unter Geld.',
  hold_funds: 'Der Knoten darf nicht mehr ausgeben: sein Sitzungsschlüssel hat zu wenig übrig oder endet bald, oder der Tresor ist zu leer. Zahle ein und stelle dann in der Wallet einen neuen Sitzungsschlüssel aus.',
  hold_price: 'Alle Verkäufer verlangen mehr als deinen höchsten Preis: erhöhe ihn oder warte.', hold_chain: 'Die Chain antwortet nicht; sie wird jede Minute wieder gefragt. Solange kommt der Torrent kostenlos.',
  receipt: 'Beleg', so_far: 'Bisher', paid: 'Bezahlt', paid_bytes: 'Für', sellers: 'Verkäufer', mean_price: 'Mittlerer Preis', saved_time: 'Gesparte Zeit', at_least: 'mindestens {time}',
  settled: 'Abgerechnet', pending: 'Offen', fees: 'Gebühren', when: 'Wann', owed: 'geschuldet', sells_now: 'sendet für Geld', sells_not: 'sendet kostenlos',
  nothing_paid: 'Für diesen Torrent wurde nichts bezahlt. Eine schnellere Spur holt ihn früher, von Verkäufern, die Geld verlangen.',
  nothing_paid_complete: 'Für diesen Torrent wurde nichts bezahlt: er kam kostenlos.',
  // Die Seite.
  part_market: 'Kaufen und verkaufen', part_book: 'Verdient und ausgegeben', part_wallet: 'Wallet',
  closed_title: 'Hier wird nichts gekauft oder verkauft', closed_text: 'Alles an BitTorrent geht ohne Geld. Wer schnellere Spuren kaufen oder Upload verkaufen will, braucht eine Wallet und ein Netz, auf dem ihr Geld liegt.',
  chain_away: 'Die Chain antwortet nicht: solange wird nichts gekauft.', may_look: 'Du darfst dir das ansehen und nichts ändern.', on: 'an', off: 'aus',
  buying: 'Schnellere Downloads kaufen', buying_text: 'Bezahlt Verkäufer für Torrents, denen du eine Spur gegeben hast, und für keine anderen.', turn_on_buying: 'Einschalten', buying_on: 'Das Kaufen ist an. Nur Torrents mit bezahlter Spur kosten etwas.',
  day_max: 'Tageslimit', day_max_of: 'Tageslimit (UTC), {symbol}', no_limit: 'kein Limit', trust: 'Dem Knoten ist anvertraut', trust_until: 'bis {time}; Verkäufer nehmen seine Schecks bis zwei Tage davor', trust_none: 'Nichts: bevor du es erlaubst, kann nichts gekauft werden.', day_used: 'Vom Tageslimit verbraucht',
  day_near_text: 'Vier Fünftel dessen, was heute ausgegeben werden darf, sind verbraucht.', day_over_text: 'Was heute ausgegeben werden darf, ist verbraucht: bis morgen (UTC) wird nichts mehr gekauft, außer du erhöhst das Limit.',
  no_lanes: 'Kein Torrent hat eine bezahlte Spur. Öffne einen und drücke „Schneller“.',
  selling: 'Upload verkaufen', selling_text: 'Wer bezahlt, bekommt mehr gesendet. Ein Teil des Uploads bleibt immer für die, die nicht bezahlen.', turn_on_selling: 'Verkaufen beginnen', stop_selling: 'Nicht mehr verkaufen',
  keep_terms: 'Bedingungen ändern', selling_on: 'Das Verkaufen ist an, zu diesen Bedingungen.', ask: 'Du verlangst', uplink: 'Upload höchstens', load: 'Davon verkauft', buyers: 'Käufer jetzt', uncashed: 'Noch nicht eingelöst', credit: 'Eingelöst, im Tresor',
  price_floor: 'Kleinster Preis je GiB, {symbol}', price_floor_text: 'So viel verlangst du mindestens, und mehr, wenn viele wollen.', uplink_field: 'Upload-Limit, MiB/s', uplink_text: 'Was deine Leitung senden kann. Es ist das Upload-Limit des ganzen Knotens.',
  uplink_needed: 'Sag zuerst, was deine Leitung senden kann: Verkaufen braucht ein Upload-Limit. Trag es in das Feld oben ein.', free_share: 'Freier Anteil: {percent} %', free_share_text: 'Vom Upload, für die, die nicht bezahlen.',
  // Das Buch.
  earnings: 'Verdient', spending: 'Ausgegeben', span: 'Wie weit zurück', last_days: { one: 'Der letzte Tag', other: 'Die letzten {count} Tage' }, earned: 'Verdient',
  nothing_earned: 'In dieser Zeit wurde nichts verdient. Schalte unter „Kaufen und verkaufen“ das Verkaufen ein und teile, was andere wollen.',
  nothing_spent: 'In dieser Zeit wurde nichts ausgegeben. Der Knopf „Schneller“ eines Torrents kauft ihm eine schnellere Spur.',
  chart_label: { one: 'Beträge nach Tagen: {count} Tag mit Handel. Die Tabelle sagt dasselbe.', other: 'Beträge nach Tagen: {count} Tage mit Handel. Die Tabelle sagt dasselbe.' },
  lines_by: 'Zeilen nach', by_torrent: 'Nach Torrent', by_peer: 'Nach Konto', by_day: 'Nach Tag', torrent: 'Torrent', account: 'Konto', day: 'Tag', amount: 'Betrag', bytes: 'Bytes',
  more_in_file: { one: 'und {count} weitere in der CSV-Datei', other: 'und {count} weitere in der CSV-Datei' },
}
