package attest

// maxLeft bounds the statements that one Resume signs.
const maxLeft = 4096
