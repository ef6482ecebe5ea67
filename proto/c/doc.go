// Package c holds no Go: it is the folder of ndring.h, a header-only client and writer in
// C11 and C++17, and of the tests that compile and run it.
package c
