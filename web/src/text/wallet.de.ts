// Die Wörter der Wallet-Seiten auf Deutsch.
import type { WalletCatalogue } from './wallet'

export const walletDe: WalletCatalogue = {
  // Eine anlegen.
  none_title: 'Noch keine Wallet', none_text: 'Eine Wallet hält den Schlüssel zu deinem Geld, auf dem Rechner des Dienstes, unter einem eigenen Passwort. Alles an BitTorrent geht ohne.',
  create_title: 'Wallet anlegen', restore_title: 'Wallet wiederherstellen', create: 'Anlegen', restore: 'Wiederherstellen', next: 'Weiter', noted: 'Ich habe sie aufgeschrieben',
  words_text: 'Diese zwölf Wörter sind deine Wallet. Schreib sie auf Papier, in dieser Reihenfolge.', words_warning: 'Wer diese Wörter hat, hat das Geld. Wer sie und das Passwort verliert, hat es verloren. Sie werden nur dieses eine Mal gezeigt.',
  check_text: 'Damit sie wirklich auf Papier stehen: welche Wörter sind das?', word_number: 'Wort {number}', check_wrong: 'Das ist nicht, was gezeigt wurde. Schau auf dein Papier oder sieh die Wörter noch einmal an.', see_again: 'Die Wörter noch einmal sehen',
  your_words: 'Deine Wörter, in ihrer Reihenfolge', words_counted: { one: '{count} Wort', other: '{count} Wörter' }, password_text: 'Das eigene Passwort der Wallet, für diesen Rechner. Es wird verlangt, wenn etwas unterschrieben wird, und kann nicht zurückgesetzt werden.',
  wallet_password: 'Passwort der Wallet', password_again: 'Noch einmal', created: 'Die Wallet ist da.', restored: 'Die Wallet ist zurück.',
  // Was sie hat.
  wallet: 'Wallet', locked: 'gesperrt', unlocked: 'entsperrt', until: 'bis {time}', unlock: 'Entsperren', lock: 'Sperren', coin: 'Münze', coin_for_fees: 'Für Gebühren',
  unlock_title: 'Wallet entsperren', unlock_text: 'Solange sie entsperrt ist, werden deine Zahlungen unterschrieben, ohne noch einmal nach diesem Passwort zu fragen.', for_how_long: 'Wie lange', minutes: { one: '{count} Minute', other: '{count} Minuten' },
  receive: 'Empfangen', receive_text: 'Sende an diese Adresse nur, was auf dem Netz „{network}“ liegt.', receive_no_network: 'Diese Wallet ist noch auf keinem Netz.', no_network_title: 'Noch auf keinem Netz', no_network_text: 'Token leben auf einem Netz. Wer eines betreibt, hat eine Datei, die sagt, wo es ist; mit ihr tritt diese Wallet bei.', qr_label: 'Die Adresse als Code zum Scannen',
  // Ein Netz.
  join: 'Beitreten', join_title: 'Einem Netz beitreten', join_text: 'Die Datei sagt, welche Chain es ist, wo ihre Verträge sind und wer zu fragen ist. Ihre Server werden gefragt, bevor etwas geglaubt wird.', network_file: 'Netzdatei', choose_file: 'Datei wählen', joined: 'Die Wallet ist jetzt auf diesem Netz.',
  join_check: 'So sagt es die Datei, und so ist die Chain. Ist es die, die du meinst?', chain: 'Chain', genesis: 'Erster Block', tokens: 'Token', join_only: 'Von jetzt an unterschreibt diese Wallet für dieses Netz und kein anderes.',
  join_one: 'Vertraut wird dem Betreiber von {server} allein, der all das erfinden kann. Besser ist eine Datei mit zwei Servern.', join_many: 'Das Gleiche sagen: {servers}.',
  // Der Tresor.
  vault: 'Tresor', vault_text: 'Was hier liegt, bezahlt Spuren. Verkäufer nehmen Schecks darauf; das Pfand verbrennt, wenn einer platzt.', free: 'Frei im Tresor', promised: 'Versprochen', the_bond: 'Pfand', credit: 'Guthaben: verdient und eingelöst', owed: 'Geschuldet',
  bounces: { one: '{count} Scheck ist geplatzt.', other: '{count} Schecks sind geplatzt.' }, exit_waits: '{amount} können ab {time} herausgenommen werden.', bond_exit_waits: 'Das Pfand kann ab {time} zurückgenommen werden.',
  trust_title: 'Was der Knoten allein ausgeben darf', trust: 'Dem Knoten erlauben', trust_anew: 'Neu erlauben', trusted: 'Der Knoten darf jetzt bis zu dieser Summe ausgeben.', trust_max: 'Höchstens, {symbol}',
  trust_text: 'Mit einem Sitzungsschlüssel bezahlt der Knoten Spuren, während die Wallet gesperrt bleibt: bis zu dieser Summe, etwa eine Woche lang und nur für Torrents mit bezahlter Spur. Ohne Gebühr.', in_vault: 'Frei im Tresor:',
  key_spent: 'Ausgegeben', of: 'von', no_key: 'Nichts: bevor du es erlaubst, kann nichts gekauft werden.', revoked: 'Widerrufen; auf der Chain gilt das ab {time}.', fee_key: 'Schlüssel, der die Gebühren des Einlösens zahlt',
  // Tätigkeiten.
  send: 'Senden', send_text: 'An ein Konto auf demselben Netz. Niemand kann es zurückholen.', to: 'An', asset: 'Was', amount: 'Betrag, {symbol}', there_is: 'Da ist', amount_wrong: 'Ein Betrag besteht aus Ziffern mit Punkt oder Komma, höchstens {digits} dahinter.',
  deposit: 'Einzahlen', deposit_text: 'Aus der Wallet in den Tresor, um damit Spuren zu bezahlen. Es kann wieder heraus, einen Tag nachdem man es verlangt hat.', from_credit: 'Aus dem Guthaben nehmen, nicht aus der Wallet',
  bond: 'Pfand erhöhen', bond_text: 'Wer ein Pfand hat, bekommt von Verkäufern mehr Kredit: es verbrennt, wenn ein Scheck platzt. Zurück kann es eine Woche, nachdem man es verlangt hat.',
  exit: 'Herausnehmen', exit_text: 'Verlangt Geld vom Tresor zurück. Einen Tag später kann es in die Wallet. Eine andere Summe ersetzt, was verlangt war; 0 nimmt es zurück.', exit_take: 'In die Wallet nehmen', exit_take_text: 'Was zurückverlangt wurde, geht vom Tresor in die Wallet.',
  bond_exit: 'Pfand zurückverlangen', bond_exit_text: 'Verlangt das ganze Pfand. Eine Woche später kann es genommen werden; solange geben Verkäufer weniger Kredit.', bond_exit_take: 'Pfand nehmen', bond_exit_take_text: 'Das Pfand geht vom Tresor in die Wallet.',
  withdraw: 'Guthaben nehmen', withdraw_text: 'Was verdient und eingelöst wurde, geht vom Tresor in die Wallet.',
  revoke: 'Widerrufen', revoke_text: 'Schaltet das Kaufen sofort aus und nimmt auf der Chain alle Sitzungsschlüssel zurück, was in einem Tag gilt.',
  preview: 'Ansehen, was es kostet', from: 'Von', network: 'Netz', fee_most: 'Gebühren höchstens', fee_likely: 'Gebühren wahrscheinlich', unlocks_text: 'Es entsperrt die Wallet für 15 Minuten.', hold_word: 'zahlen', ordered: 'Es ist unterwegs.',
  // Aufträge und Verlauf.
  orders: 'Aufträge', order_waiting: 'wartet', order_under_way: 'unterwegs', order_done: 'fertig', order_failed: 'gescheitert', order_unsure: 'unsicher', confirmations: '{have} von {want} Bestätigungen', fee: 'Gebühr',
  unsure_text: 'Der Dienst endete mittendrin. Vielleicht wurde es gesendet: sieh im Verlauf nach, bevor du es noch einmal tust.',
  history: 'Gekommen und gegangen', history_empty: 'Noch ist nichts gekommen oder gegangen. „Empfangen“ zeigt die Adresse dafür.', came: 'Gekommen', went: 'Gegangen', block: 'Block {number}', older: 'Ältere',
}
