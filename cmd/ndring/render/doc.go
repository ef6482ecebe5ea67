// Package render prints frames: as lines of text, as JSON objects, one a line, or
// as .npy arrays one after another.
package render
