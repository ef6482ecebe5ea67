// Package feed turns what "ndring produce --source" names into frames, one after
// another, written straight into claimed space.
package feed
