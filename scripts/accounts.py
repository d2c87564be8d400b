#!/usr/bin/env python3
"""Writes made-up accounts as JSON lines, to measure an import with: scripts/accounts.py 100000 > accounts.jsonl

All have the password "correct horse", by the same bcrypt hash of the lowest cost.
"""
import json
import sys

HASH = "$2b$04$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm"

for n in range(int(sys.argv[1])):
    name = f"person-{n:07}"
    account = {"username": name, "email": f"{name}@example.com", "first_name": "Made", "last_name": "Up"}
    print(json.dumps(account | {"password_hash": HASH}))
