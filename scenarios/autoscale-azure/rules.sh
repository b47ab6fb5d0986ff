# The rules of Microsoft's own example, with a memory of five minutes for both directions.
az monitor autoscale create --resource "$DEPLOYMENT_ID" --count 2 --min-count 2 --max-count 6
az monitor autoscale rule create --condition "CpuUtilizationPercentage > 55 avg 5m" --scale out 2 --cooldown 5
az monitor autoscale rule create --condition "CpuUtilizationPercentage < 25 avg 10m" --scale in 1 --cooldown 5
