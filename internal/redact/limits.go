package redact

// saltBytes is the length of seed and salts: nobody finds a short path by trying all of them.
const saltBytes = 32

// maxOpenings bounds the entries that one document opens.
const maxOpenings = 1 << 16

// maxDocument bounds a document of openings, in bytes.
const maxDocument = 64 << 20
