// Names are strangers' work. They go into text nodes only; what would not be seen, or would change the order
// of what stands around it, is made visible first.

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]/g

/** A name with a mark in the place of each control character. */
export const plain = (name: string): string => name.replace(UNSEEN, '\ufffd')
