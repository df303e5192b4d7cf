package main

// What is new in this release: $Format:%b$
