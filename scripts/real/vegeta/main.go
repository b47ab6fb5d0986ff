// Reads what vegeta reads: `targets FILE` prints the targets as JSON, one a line; `report FILE` prints the numbers of a JSON report.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	text, err := os.ReadFile(os.Args[2])
	check(err)
	if os.Args[1] == "report" {
		var metrics vegeta.Metrics
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		check(decoder.Decode(&metrics))
		check(vegeta.NewJSONReporter(&metrics)(os.Stdout))
		fmt.Println()
		return
	}
	check(os.Chdir(filepath.Dir(os.Args[2])))
	targeter := vegeta.NewHTTPTargeter(bytes.NewReader(text), nil, http.Header{})
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		targeter = vegeta.NewJSONTargeter(bytes.NewReader(text), nil, http.Header{})
	}
	for {
		var target vegeta.Target
		if err := targeter(&target); err == vegeta.ErrNoTargets {
			return
		} else {
			check(err)
		}
		line, err := json.Marshal(map[string]any{
			"method": target.Method, "url": target.URL, "body": string(target.Body), "header": target.Header,
		})
		check(err)
		fmt.Println(string(line))
	}
}
