#!/bin/sh
echo "report of $1"
